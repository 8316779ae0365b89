"""The fragments of the embedded molecules, one family a line: within a list every family is as frequent as another.

A ring or a chain is a whole molecule: a hydrogen of any of its carbons or ring nitrogens may give way to another
fragment. A linker has two attachment points (``*``), a substituent has one. The alert families are the chemistry that
the structural-alert catalogues look for. An indented line goes on with the family above it.
"""

Families = tuple[tuple[str, ...], ...]


def _families(text: str) -> Families:
    return tuple(tuple(line.split()) for line in text.strip().replace("\n    ", " ").splitlines())


RINGS = _families("""
c1ccccc1
c1ccccc1 c1ccc(cc1)-c1ccccc1 c1ccc(cc1)Cc1ccccc1 c1ccc(cc1)Oc1ccccc1 c1ccc(nc1)-c1ccccc1
c1ccncc1 c1ccncc1 c1cncnc1 c1cnccn1 c1ccnnc1 c1ncncn1
c1ccc2ccccc2c1 c1ccc2ncccc2c1 c1ccc2cnccc2c1 c1ccc2ncncc2c1 c1ccc2nccnc2c1 c1ccc2cnncc2c1 c1cnc2ncccc2c1
c1ccsc1 c1ccoc1 c1cc[nH]c1 c1csc2ccsc12 c1csc2nccn12 c1ccn2cccc2c1 Cn1cccc1
c1c[nH]cn1 c1cn[nH]c1 c1cocn1 c1cnoc1 c1cscn1 c1cnsc1 Cc1c[nH]c(C)n1 Cn1cccn1 Cn1ccnc1
c1nc[nH]n1 c1cn[nH]n1 c1nnco1 Cc1nnco1 c1ncno1 c1nncs1 c1ncns1 c1nnn[nH]1 Cn1cncn1
c1ccc2[nH]ccc2c1 c1ccc2[nH]cnc2c1 c1ccc2[nH]ncc2c1 c1ccc2nn[nH]c2c1 Cn1ccc2ccccc21 Cn1cnc2ccccc21
c1ccc2occc2c1 c1ccc2sccc2c1 c1ccc2ocnc2c1 c1ccc2scnc2c1 c1ccc2nocc2c1 c1ccc2[nH]c3ccccc3c2c1 c1ccc2c(c1)oc1ccccc12
c1cnc2[nH]ccc2c1 c1ccn2ccnc2c1 c1cnn2ccnc2c1 c1cnc2ccnn2c1 c1cnc2nc[nH]c2c1 c1cnc2[nH]ncc2c1
c1ncc2nc[nH]c2n1 c1ncc2ccsc2n1 c1ncc2cc[nH]c2n1 c1ncc2cn[nH]c2n1 c1ncc2ocnc2n1
C1Cc2ccccc2N1 C1CCc2ccccc2N1 C1Cc2ccccc2CN1 C1NCc2ccccc12 c1ccc2c(c1)NCCO2 c1ccc2c(c1)NCCS2 C1CNc2ccccc2NC1
C1Cc2ccccc2C1 C1CCc2ccccc2C1 C1CCc2ccccc2O1 c1ccc2c(c1)OCO2 c1ccc2c(c1)OCCO2 C1Cc2ccccc2O1 c1ccc2c(c1)Cc1ccccc1-2
C1CNCc2sccc21 C1CCc2[nH]ncc2C1 C1CNc2ncccc2C1 C1Cn2ccnc2CN1 c1ccc2c(c1)CCc1ccccc1N2 c1ccc2c(c1)Nc1ccccc1S2
C1CC1 C1CCC1 C1CCCC1 C1CCCCC1 C1CCCCC1 C1CCCCCC1 CC1CCC(C)CC1 CC1(C)CCCCC1
C1CCNCC1 C1CNCCN1 CN1CCNCC1 CN1CCCCC1 C1CCCNCC1
C1COCCN1 C1CSCCN1 C1CS(=O)(=O)CCN1 C1CCNC1 C1CNC1
C1COC1 C1CCOC1 C1CCOCC1 C1CCSC1 C1COCCO1 C1CSCCS1 C1CCCOCC1
C1CCC2CCCCC2C1 C1CC2CCC1C2 C1CC2CCC(C1)N2 C1CN2CCC1CC2 C12CC(C1)C2 C1CC2(C1)CCNCC2 C1NCC2CC12 C1NCC2CCCC12 C1OCC2COCC12
O=C1CCCN1 O=C1CCCCN1 O=C1CNCCN1 O=C1COCCN1 O=C1NCCN1 O=C1OCCN1 O=C1CCCO1 O=S1(=O)CCCN1 O=C1CCC(=O)N1
O=c1cccc[nH]1 O=c1cc[nH]cn1 O=c1cc[nH]c(=O)[nH]1 O=c1[nH]ccn1C O=c1cc[nH][nH]1 O=c1cccn[nH]1
O=c1[nH]cnc2ccccc12 O=c1[nH]ccc2ccccc12 O=c1[nH]c2ccccc2[nH]1 O=c1[nH]c2ccccc2o1 O=c1cnc2ccccc2[nH]1
    O=c1[nH][nH]c(=O)c2ccccc12
O=C1Cc2ccccc2N1 O=C1COc2ccccc2N1 O=C1CCc2ccccc2N1 O=C1NCc2ccccc12 O=C1c2ccccc2CCN1 O=C1CN=C(c2ccccc2)c2ccccc2N1
O=C1CCCCC1 O=C1CCCC1 O=C1CCc2ccccc21 C1CCC=CC1 C1CCC2(CC1)OCCO2
""")

ALERT_RINGS = _families("""
O=C1C=CC(=O)C=C1 O=C1C=CC(=O)C=C1C O=C1C=CC(=O)c2ccccc12 O=C1C(=O)C=Cc2ccccc12 O=C1c2ccccc2C(=O)c2ccccc12
    O=C1C=CC(=O)C(N)=C1
Oc1ccccc1O Cc1ccc(O)c(O)c1 Oc1cccc(O)c1O Oc1ccc(O)c(O)c1 Oc1ccc2ccccc2c1O Oc1ccc(cc1O)-c1ccccc1
Oc1ccc(O)cc1 Nc1ccc(O)cc1 Oc1ccc(O)c2ccccc12 Cc1cc(O)ccc1O COc1cc(O)ccc1O
Oc1ccccc1CN1CCOCC1 Oc1ccccc1CN1CCCCC1 Oc1c(CN(C)C)ccc2cccnc12 CN(C)Cc1ccccc1O CCN(CC)Cc1cc(C)ccc1O
O=c1ccc2ccccc2o1 Cc1cc(=O)oc2ccccc12 O=c1ccc2cc(O)ccc2o1 O=c1ccc2c(ccc3ccccc32)o1 N=c1ccc2ccccc2o1
    NC(=O)c1cc2ccccc2oc1=O
O=c1cc(-c2ccccc2)oc2ccccc12 O=c1ccoc2ccccc12 O=c1c(O)c(-c2ccccc2)oc2ccccc12 O=C1C=COc2ccccc12 O=c1c2ccccc2oc2ccccc12
O=C(C=Cc1ccccc1)c1ccccc1 O=C(C=Cc1ccco1)c1ccccc1 O=C1C(=Cc2ccccc2)Oc2ccccc12 O=C1C(=Cc2ccccc2)CCc2ccccc12
    CC(=O)C=Cc1ccccc1
O=C1C=CC(=O)N1 O=C1C=CC(=O)N1c1ccccc1 O=C1C=CC(=O)N1C CC1=CC(=O)N(C)C1=O
O=C1NC(=O)c2ccccc12 CN1C(=O)c2ccccc2C1=O O=C1N(c2ccccc2)C(=O)c2ccccc12 O=C1NC(=O)c2cccc3cccc1c23 O=C1C2CC=CCC2C(=O)N1
O=C1CSC(=S)N1 O=C1CSC(=O)N1 O=C1CSC(=S)N1C O=C1CSC(=N)N1 O=C1CSC(N)=N1 O=C1CNC(=S)N1 O=C1CNC(=O)N1
O=C1NC(=S)SC1=Cc1ccccc1 CN1C(=O)C(=Cc2ccccc2)SC1=S O=C1NC(=O)SC1=Cc1ccccc1 O=C1N=C(N)SC1=Cc1ccccc1
    O=C1NC(=S)SC1=Cc1ccco1
O=C1NC(=O)NC1=Cc1ccccc1 O=C1OC(c2ccccc2)=NC1=Cc1ccccc1 CC1=NN(c2ccccc2)C(=O)C1=Cc1ccccc1 O=C1NC(=S)NC1=Cc1ccccc1
    O=C1Nc2ccccc2C1=Cc1ccccc1
O=C1NC(=O)C(=Cc2ccccc2)C(=O)N1 O=C1NC(=S)NC(=O)C1=Cc1ccccc1 O=C1C(=Cc2ccccc2)C(=O)c2ccccc12
    CN1C(=O)C(=Cc2ccccc2)C(=O)N(C)C1=O O=C1NC(=O)C(=Cc2ccco2)C(=O)N1
O=C1Nc2ccccc2C1=O O=C1Nc2ccccc2C1=NNc1ccccc1 CC1=NN(c2ccccc2)C(=O)C1=NNc1ccccc1 O=C1NN=C(C)C1=NNc1ccccc1
    O=C1N(C)c2ccccc2C1=NN
O=C1CC(=O)c2ccccc12 O=C1CC(=O)CCC1 CC(=O)C1C(=O)c2ccccc2C1=O O=C1CC(=O)NN1 CC1=NN(c2ccccc2)C(=O)C1
    CC1(C)CC(=O)CC(=O)C1 CC1(C)OC(=O)CC(=O)O1
c1ccc2cc3ccccc3cc2c1 c1ccc2c(c1)ccc1ccccc12 c1ccc2nc3ccccc3cc2c1 c1cc2ccc3cccc4ccc(c1)c2c34
    c1ccc2c(c1)ccc1c2ccc2ccccc12 c1ccc2c(c1)nc1ccccc1n2
Nc1c2ccccc2nc2ccccc12 CN(C)c1ccc2nc3ccccc3cc2c1 c1ccc2c(c1)[nH]c1ccccc1c2=O Nc1c2CCCCc2nc2ccccc12 Nc1ccc2ncccc2c1
c1ccc(cc1)C=Cc1ccccc1 c1ccc(cc1)C#Cc1ccccc1 c1ccc(cc1)C=CC=Cc1ccccc1 COc1ccc(C=Cc2ccccc2)cc1 c1ccc(cc1)C=Cc1ccncc1
c1ccc(cc1)N=Nc1ccccc1 CN(C)c1ccc(cc1)N=Nc1ccccc1 Oc1ccc(cc1)N=Nc1ccccc1 Oc1ccc2ccccc2c1N=Nc1ccccc1
    Cc1ccc(N=Nc2ccccc2)cc1
c1ccc(cc1)C(c1ccccc1)c1ccccc1 OC(c1ccccc1)(c1ccccc1)c1ccccc1 CC(c1ccccc1)(c1ccccc1)c1ccccc1 OC(c1ccccc1)c1ccccc1
Nc1ccccc1 Nc1ccccc1N Nc1cccc(N)c1 Nc1ccc(N)cc1 Nc1cccc2ccccc12 Nc1ccc(cc1)-c1ccc(N)cc1 Nc1ccc(cc1)C#N
CN(C)c1ccc(C=C)cc1 CN(C)c1ccc(C=N)cc1 CCN(CC)c1ccc(C=O)cc1 CN(C)c1ccc(cc1)C=NN CN(C)c1ccc(cc1)C(=C)C
    CN(C)c1ccc(Cc2ccc(N(C)C)cc2)cc1
CN(C)c1ccccc1 CCN(CC)c1ccccc1 CNc1ccccc1 c1ccc(cc1)N1CCCC1 c1ccc2c(c1)NC1CC=CC21
Nc1sccc1C(N)=O Nc1sccc1C#N Nc1sc2c(c1C(N)=O)CCCC2 Nc1sccc1C(=O)OC Nc1scc(-c2ccccc2)c1C(N)=O
Nc1nccs1 Nc1nc(-c2ccccc2)cs1 Nc1nncs1 Nc1nc2ccccc2s1 Nc1scnc1C
Cc1ccc(C)n1-c1ccccc1 Cc1ccc(C=N)n1-c1ccccc1 Cc1cc(C=O)c(C)n1-c1ccccc1 c1ccn(c1)-c1ccccc1 Cc1cc(C=C)c(C)n1C
N#CC1=C(N)OC=CC1 N#CC1=CNC=C(C#N)C1 N#Cc1cc(C)nc(N)c1C#N N#Cc1ccc[nH]c1=O N#Cc1ccc[nH]c1=S N#CC1=C(N)Oc2ccccc2C1
    N#Cc1c(N)[nH]nc1
OC(=O)c1ccccc1N O=C(O)c1ccccc1Nc1ccccc1 OC(=O)c1ccccc1O COC(=O)c1ccccc1N O=C(Nc1ccccc1)c1ccccc1N
Clc1ccccn1 Fc1ccccn1 Brc1ccccn1 Clc1ccncc1 N#Cc1cccnc1Cl O=[N+]([O-])c1ccc(Cl)nc1 Clc1ccc2ccccc2n1
Clc1ccncn1 Clc1ncccn1 Clc1cnccn1 Clc1cccnn1 Clc1nc(Cl)ncn1 Clc1ncnc2ccccc12 Clc1nccs1
O=[N+]([O-])c1ccco1 O=[N+]([O-])c1cccs1 O=[N+]([O-])c1cnc[nH]1 O=[N+]([O-])c1ccccc1 O=[N+]([O-])c1ccc(O)cc1
O=[N+]([O-])c1cccc([N+](=O)[O-])c1 O=[N+]([O-])c1cc([N+](=O)[O-])ccc1Cl O=[N+]([O-])c1ccc(F)c([N+](=O)[O-])c1
    O=[N+]([O-])c1ccccc1[N+](=O)[O-]
O=[N+]([O-])c1cccc2nonc12 O=[N+]([O-])c1ccc(Cl)c2nonc12 [O-][n+]1onc2ccccc12 c1ccc2nonc2c1 c1ccc2nsnc2c1
C[n+]1ccccc1 C[n+]1ccc(C)cc1 C[n+]1ccn(C)c1 C[n+]1cccc2ccccc21 CC(=O)C[n+]1ccccc1 [O-][n+]1ccccc1 [O-][n+]1cccc2ccccc12
On1ccccc1=O On1nnc2ccccc12 ON1C(=O)CCC1=O ON1C(=O)c2ccccc2C1=O Oc1cccc[n+]1[O-] On1cccc1
[o+]1ccccc1 [s+]1ccccc1 C[S+]1CCCC1 C[s+]1ccc2ccccc12 c1ccc2[o+]cccc2c1
C1CO1 CC1CO1 C1CC2OC2CC1 C1Oc2ccccc2C1 c1ccc(cc1)C1CO1 O=C1OC1c1ccccc1 C1C2OC2CO1
C1CN1 CN1CC1 C1CS1 C1NO1 C1=NN1 CC1(C)N=N1 c1ccc(cc1)N1CC1 O=S(=O)(N1CC1)c1ccccc1 C1CC2NC2CC1
O=C1CCO1 O=C1C=CO1 CC1CC(=O)O1 C=C1CC(=O)O1 O=C1CCN1 O=C1CN2CCSC12 O=C1CC(c2ccccc2)N1 O=C1CCC1
O=C1CCC(=O)O1 O=C1C=CC(=O)O1 O=C1OC(=O)c2ccccc12 O=C1CCCC(=O)O1 O=C1Nc2ccccc2C(=O)O1 O=C1OC(=O)C2CCCCC12
C1COCCOCCOCCO1 C1COCCOCCOCCOCCO1 C1COCCNCCOCCN1 C1CNCCNCCNCCN1 C1COc2ccccc2OCCOCCO1
C1CSSC1 O=C1CCSS1 S=C1SC=CS1 S=c1ccss1 C1CCSSC1 S=C1SCCS1 C=C1SCCS1 C=C1SC=CS1 O=C1SC=CS1
Sc1nc2ccccc2s1 Sc1nc2ccccc2[nH]1 Sc1nnc[nH]1 Sc1ncccn1 Sc1ccccc1 Sc1nncs1 Sc1nnco1
S=c1[nH]cccn1 S=c1[nH]c2ccccc2[nH]1 S=C1NCCN1 S=c1[nH]nc[nH]1 O=c1cc[nH]c(=S)[nH]1 S=C1NCCS1
C1COO1 C1OCOO1 C1COOC1 CC1(C)OOC(C)(C)O1 C1CCC2(CC1)OOC1(CCCCC1)OO2
C1CNNC1 C1CCNN1 c1ccc2c(c1)NNC2=O O=C1CCNN1 O=C1NNC(=O)c2ccccc12 CN1CCC(=O)N1C NN1CCOCC1
Fc1c(F)c(F)cc(F)c1F Clc1cc(Cl)c(Cl)cc1Cl Clc1c(Cl)c(Cl)c(O)cc1Cl Clc1cc(Cl)c(Cl)c(Cl)c1 Fc1cc(F)c(F)c(F)c1O
    Clc1ccc(Cl)c(Cl)c1Cl
Brc1ccccc1 Brc1cccs1 Brc1ccc(Br)cc1 Oc1c(Br)cc(C)cc1Br Brc1cncs1 Brc1c[nH]c2ccccc12
Ic1ccccc1 Oc1c(I)cccc1I Ic1cccs1 Ic1c[nH]c2ccccc12 Nc1ccc(I)cc1
CC(C)(C)c1cccc(C(C)(C)C)c1O CC(C)(C)c1ccccc1O CC(C)(C)c1cc(C)ccc1O CC(C)(C)c1cc(C)cc(C(C)(C)C)c1O
CC12CCC3C(CCC4=CC(=O)CCC43C)C1CCC2O CC12CCC3c4ccc(O)cc4CCC3C1CCC2 CC1=CCCC(C)(C)C1C=C CC1(C)C2CCC1(C)C(=O)C2
    CC1CCC2C(C1)OC(=O)C2=C
OCC1OC(O)C(O)C(O)C1O OC1C(O)COC(C)C1O OCC1OC(C)C(O)C(O)C1O OC1CCOC1Cn1ccc(=O)[nH]c1=O OC1CCC(O)C(O)C1O
C1C2CC3CC1CC(C2)C3 NC12CC3CC(CC(C3)C1)C2 OC(=O)C12CC3CC(CC(C3)C1)C2 O=C1C2CC3CC(C2)CC1C3
C1CCCCCC1 C1CCCCCCC1 C1CCCCNCC1 C1CCC=CCCC1 C1=CCCCCC1 C1=CCC=CC1 C1=CCC1 O=C1CCCCCN1 O=c1cccccc1 c1ccc2cccc2cc1
c1c[nH]c2ccccc12 Cc1c[nH]c2ccccc12 CN(C)CCc1c[nH]c2ccccc12 CCc1c[nH]c2ccccc12 C(c1c[nH]c2ccccc12)c1c[nH]c2ccccc12
""")

CHAINS = _families("""
CC CCC CCCC CC(C)C CC(C)CC CC(C)(C)CC CCCCC CCCCCC
CCOCC CCN(C)CC CC(O)CC CCSCC CCOCCOCC CC(O)C(O)CO CCC(=O)CC CCC(F)(F)CC
CC(N)C(N)=O NC(CO)C(=O)O CC(NC(C)=O)C(=O)OC NCCCCC(N)C(=O)O OC(=O)CC(O)CC(=O)O COC(=O)CC(=O)OC CCCNCCCN
CCCCCCC CCCCCCCC CCCCCCCCCC
CC=CC C=CCC CC=CC=CC CC#CC CC(C)=CCC CC=CC(C)=CC=C
""")

LINKERS = _families("""
*C(=O)N* *C(=O)N(C)* *C(=O)NC* *CC(=O)N* *C(=O)NCC* *OCC(=O)N* *SCC(=O)N* *NCC(=O)N* *C(C)C(=O)N* *CNC(=O)C*
*C(=O)N* *C(=O)N1CCN(*)CC1 *C(=O)N1CCC(*)CC1 *C(=O)N1CC(*)C1
*NC(=O)N* *OC(=O)N* *COC(=O)N* *NC(=O)NC* *C(=O)O* *C(=O)OC* *C(=O)*
*S(=O)(=O)N* *S(=O)(=O)NC* *S(=O)(=O)N(C)* *S(=O)(=O)N1CCN(*)CC1 *S(=O)(=O)N1CCC(*)CC1
*S(=O)(=O)* *S(=O)* *CS(=O)(=O)* *S* *CS* *SCC*
*C* *CC* *CCC* *C(C)* *C(C)(C)* *C(O)* *C(F)(F)* *CCCC* *C1CC1*
*O* *CO* *OCC* *OCCO* *C(C)O* *CCOCC* *COC* *OCC(O)C*
*N* *NC* *N(C)* *CN(C)* *CNC* *CCN* *C(C)N* *NCCN* *NCCO* *C(CO)N*
*N1CCN(*)CC1 *C1CCN(*)CC1 *N1CCC(*)C1 *C1CN(*)C1 *CN1CCN(*)CC1 *CN1CCC(*)CC1 *N1CCC(O*)CC1
*c1ccc(*)cc1 *c1cccc(*)c1 *c1ccc(*)nc1 *c1cn(*)nn1 *c1nc(*)no1 *c1nnc(*)o1 *c1cc(*)on1 *c1nc(*)cs1 *c1csc(*)c1
""")

ALERT_LINKERS = _families("""
*N=N* *N=NN* *N=NC(=O)N* *C(=O)N=N*
*C=NN* *C(C)=NN* *C=NNC(=S)N* *C=NN1CCN(*)CC1 *C=NN(C)* *C=NN=C*
*C=NNC(=O)* *C(C)=NNC(=O)* *C=NNC(=O)C* *C=NNC(=O)CO*
*C(=O)NN* *C(=O)NNC(=O)* *NNS(=O)(=O)* *NN* *C(=O)NNC(=S)N* *N(C)N(C)*
*C=N* *C(C)=N* *C=NC* *N=CC=C* *NC(=N)N* *C(N)=N*
*C=NO* *C(C)=NO* *C(C)=NOC* *C(C)=NOC(=O)* *ON=C* *C(=N*)C(=O)OC
*C(=O)NO* *C(=O)N(O)* *C(=O)NOC* *NO* *CON* *N(*)N=O *C=[N+]([O-])*
*SS* *CSS* *CSSC* *SSS* *CSSCC*
*C(=S)N* *NC(=S)N* *NC(=S)NC* *C(=O)NC(=S)N* *C(=S)NC* *C(=S)*
*NC(=S)S* *OC(=S)N* *SC(=S)N* *OC(=S)O* *OC(=O)S* *SC(=S)S* *CSC(=S)N*
*C(=O)S* *C(=O)SC* *SC(=O)N* *CC(=O)S*
*S(=O)(=O)O* *S(=O)(=O)OC* *OS(=O)(=O)O* *OS(=O)* *OS(=O)(=O)C* *S(=O)O*
*SN* *SNC* *SO* *S(=O)(=O)S* *SN1CCN(*)CC1 *N=S(C)*
*C(=O)C(=O)* *C(=O)C(=O)N* *NC(=O)C(=O)N* *OC(=O)C(=O)N*
*C(=O)CC(=O)* *C(=O)CC(=O)N* *C(C(=O)OC)C(=O)* *C(=O)C(C)C(=O)*
*C(=O)OC(=O)* *C(=O)NC(=O)* *CC(=O)OC(=O)* *C(=O)N(C)C(=O)*
*C(=O)C=C* *C(=O)C(C)=C* *C(=O)C=CC=C* *C=C(*)C(C)=O *C(=C)C(=O)*
*NC(=O)C=C* *OC(=O)C=C* *C(=C)C(=O)N* *CNC(=O)C=C* *C(=C)C(=O)O*
*C=C(C#N)C(=O)N* *C=C(C#N)C(=O)* *C=C(*)C#N *C=C(C#N)C(=O)O*
*C#C* *C#CC* *C(=O)C#C* *C#CC#C* *CC#CC*
*C=C* *C=CC* *C=CC=C* *C=CC=CC=C* *C(=C)* *C=C=C*
*C=C(*)Cl *C=C(*)Br *C=C(*)[N+](=O)[O-] *S(=O)(=O)C=C* *C(Cl)=C*
*NC=C* *NC=CC(=O)* *OC=C* *C(=O)OC=C* *NC=C(C#N)C(=O)*
*OC(=O)O* *OC(=O)OC* *COC(=O)OC* *C(=O)OCC(=O)* *C(=O)OCC(=O)N*
*OCO* *C(OC)O* *OC(C)(C)O* *OCOC* *COCO*
*NCN* *NCO* *COCN* *SCS* *NCS* *C(C#N)N* *C(C#N)O*
*CCCCCC* *CCCCCCCC* *CCCCCCCCCC* *OCCCCCCO*
*OCCOCCOCCO* *CNCCN(C)CCN* *OCCOCCO* *COCCOCCOC*
*C(F)(F)C(F)(F)* *C(F)(F)C(F)(F)C(F)(F)* *C(Cl)C* *CC(Br)C* *CC(Cl)CO*
*C[N+](C)(C)C* *CC[N+](C)(C)C* *C[S+](C)C* *C[P+](C)(C)C* *C(=O)C[N+](C)(C)C*
*P(=O)(O)O* *P(=O)(OCC)* *P(=O)(C)* *CP(=O)(OC)O* *P(*)c1ccccc1
*OP(=O)(O)O* *OP(=O)(OC)O* *NP(=O)(OC)O* *OP(=S)(OC)O*
*[Si](C)(C)* *O[Si](C)(C)* *B(O)* *[Se]*
*OO* *C(=O)OO* *COOC* *COO*
""")

SUBSTITUENTS = _families("""
*C *C *CC *C(C)C *CCC *C(C)(C)C *CC(C)C
*C1CC1 *CC1CC1 *C1CCCC1 *C1CCCCC1 *C1CCOCC1 *C1CCNCC1 *C1COC1
*F *F *Cl *Cl *C(F)(F)F *C(F)(F)F *C(F)F *CC(F)(F)F
*F *Cl *OC(F)(F)F *OC(F)F *C
*OC *OC *OCC *OC(C)C *OC1CC1 *OCCOC *Oc1ccccc1 *COC
*O *CO *CCO *C(C)O *C(C)(C)O *[C@H](C)O *[C@H](O)c1ccccc1
*N *NC *N(C)C *NC(C)C *NC1CC1 *NCCO *NCCN(C)C *Nc1ccccc1
*CN *CCN *CN(C)C *CCN(C)C *[C@H](C)N *[C@@H](C)N *C[NH3+] *C[NH+](C)C
*NC(C)=O *NC(=O)C(C)C *NC(=O)C1CC1 *NS(C)(=O)=O *NC(N)=O *NC(=O)OC(C)(C)C *NC(=O)c1ccccc1
*C#N *C#N *CC#N *C(C)(C)C#N
*C(N)=O *C(=O)NC *C(=O)N(C)C *C(=O)NC1CC1 *C(=O)N1CCCC1 *C(=O)N1CCOCC1 *C(=O)NCc1ccccc1
*C(=O)O *CC(=O)O *C(=O)[O-] *OCC(=O)O *C(=O)OC *C(=O)OCC *C(=O)OC(C)(C)C *[C@@H](N)C(=O)O
*C(C)=O *C(=O)C1CC1 *CC(C)=O *C(=O)c1ccccc1
*S(C)(=O)=O *S(N)(=O)=O *S(=O)(=O)N(C)C *S(=O)(=O)C1CC1 *S(C)=O *SC *SCC
*N1CCOCC1 *N1CCCC1 *N1CCCCC1 *N1CCN(C)CC1 *N1CCC(O)CC1 *N1CC(F)C1
*CN1CCOCC1 *CN1CCCC1 *CN1CCN(C)CC1 *CCN1CCCCC1
*c1ccccc1 *Cc1ccccc1 *c1ccc(F)cc1 *c1ccc(Cl)cc1 *c1ccc(OC)cc1 *c1ccc(C)cc1 *c1cccc(C(F)(F)F)c1 *COc1ccccc1
*c1ccncc1 *c1cccnc1 *Cc1cccnc1 *c1ccsc1 *c1ccco1 *c1cncnc1
*n1cccn1 *n1ccnc1 *c1cnn(C)c1 *c1nnn[nH]1 *c1nc(C)no1 *c1nnc(C)o1 *Cn1cncn1
""")

ALERT_SUBSTITUENTS = _families("""
*C(=O)Cl *CC(=O)Cl *C(=O)F *C(=O)Br *OC(=O)Cl *CCC(=O)Cl
*C=O *C=O *CC=O *CCC=O *OC=O *NC=O
*C(=O)C=O *C(=O)C(=O)OC *C(=O)C(=O)O *C(=O)C(=O)N *C(=O)C(C)=O *NC(=O)C(=O)NC *C(=O)C(=O)c1ccccc1
*C(=O)C#N *CC(=O)C#N *C(O)C#N *C(C)(O)C#N *C(C#N)OC *OC(C)C#N
*C(=O)C(F)(F)F *C(=O)C(Cl)(Cl)Cl *NC(=O)C(F)(F)F *OC(=O)C(F)(F)F *C(=O)C(F)(F)C(F)(F)F
*C(=O)On1nnc2ccccc21 *CC(=O)On1nnc2ccccc21 *C(=O)ON1C(=O)CCC1=O *C(=O)n1ccnc1 *C(=O)n1cccn1 *C(=O)n1cncn1
*C(=O)Oc1ccc([N+](=O)[O-])cc1 *OC(=O)Oc1ccc([N+](=O)[O-])cc1 *C(=O)Oc1c(F)c(F)c(F)c(F)c1F *C(=O)Oc1ccccc1[N+](=O)[O-]
*C(=O)Oc1ccccc1 *OC(=O)c1ccccc1 *OC(C)=O *C(=O)OCc1ccccc1 *OC(=O)CC *OC(=O)N(C)C
*SC(C)=O *C(=O)SC *C(=O)SCC *SC(=O)c1ccccc1 *SC(=O)N(C)C
*C(=O)CC(C)=O *C(=O)CC(=O)OC *CC(=O)CC(=O)OC *C(C(C)=O)C(C)=O *C(=O)NC(C)=O *NC(=O)NC(C)=O
*C(=O)OC(C)=O *C(=O)OC(=O)c1ccccc1 *CC(=O)OC(C)=O
*CCl *CCCl *CCCCl *C(C)Cl *CCCCCl *CC(C)Cl
*CBr *CCBr *CCCBr *C(C)Br *CI *CCI *CC(Br)CBr
*C(Cl)Cl *C(Cl)(Cl)Cl *CC(Cl)(Cl)Cl *SC(Cl)(Cl)Cl *C(Br)Br
*C(=O)CCl *C(=O)CBr *C(=O)CF *C(=O)CI *C(=O)C(C)Br *C(=O)C(Cl)Cl
*NC(=O)CCl *NC(=O)CBr *OC(=O)CCl *N(C)C(=O)CCl *NC(=O)C(C)Cl
*C(=O)CCCl *CC(=O)CCCl *C(=O)CCBr *CC=CCl *CC=CCBr *CC(Cl)=C
*N(CCCl)CCCl *NCCCl *SCCCl *N(CCBr)CCBr *CN(CCCl)CCCl *CNCCl
*OCCl *OCCCl *COCCl *OCCBr *COCCF *OCCF *OC(C)Cl
*OS(C)(=O)=O *CCOS(C)(=O)=O *COS(=O)(=O)c1ccc(C)cc1 *OS(=O)(=O)C(F)(F)F *S(=O)(=O)Oc1ccccc1 *OS(=O)(=O)c1ccccc1
    *S(=O)(=O)OC
*OS(=O)(=O)O *COS(=O)(=O)O *OS(=O)(=O)OC *OS(N)(=O)=O *OS(=O)O *OS(=O)OC
*C1CO1 *CC1CO1 *OCC1CO1 *C1OC1C *CC1CS1 *C1OC1c1ccccc1
*N1CC1 *C1CN1 *CN1CC1 *C(=O)N1CC1 *CC1CN1 *S(=O)(=O)N1CC1
*C(Br)=C *C(Cl)=C *C=CCl *C=C(Cl)Cl *C(Cl)=C(Cl)Cl *C(F)=C(F)F *C=CBr
*NC(=O)C=C *N(C)C(=O)C=C *NC(=O)C(C)=C *CNC(=O)C=C *C=CC(N)=O *NC(=O)C=CC
*OC(=O)C=C *OC(=O)C(C)=C *C=CC(=O)OC *C=CC(=O)O *COC(=O)C=C *C(=C)C(=O)OC
*C(=O)C=C *C=CC(C)=O *C(=O)C(C)=C *C=CC=O *C(=O)C=CC *C=CC(=O)c1ccccc1
*S(=O)(=O)C=C *C=CS(C)(=O)=O *CS(=O)(=O)C=C *S(=O)(=O)C=Cc1ccccc1
*C=C(C#N)C#N *C=C(C#N)C(=O)OC *C=C(C#N)C(N)=O *C(C#N)=C(N)C#N *C(=O)C(C#N)=CO *C=CC#N *C(=C)C#N
*C=C[N+](=O)[O-] *C=C(C)[N+](=O)[O-] *C[N+](=O)[O-] *CC[N+](=O)[O-] *C(C)C[N+](=O)[O-]
*C#CC(=O)OC *C(=O)C#C *C#CC(C)=O *NC(=O)C#C *OC(=O)C#C
*N1C(=O)C=CC1=O *CN1C(=O)C=CC1=O *N1C(=O)c2ccccc2C1=O *CN1C(=O)c2ccccc2C1=O *CCN1C(=O)c2ccccc2C1=O
*C(=CN(C)C)C(C)=O *C(=O)C=CN(C)C *C=CN(C)C *C=CN1CCOCC1 *C=CNC
*C=C1C(=O)OC(C)(C)OC1=O *C=C1C(=O)NC(=S)NC1=O *C=C1C(=O)NC(=O)NC1=O *C=C1C(=O)c2ccccc2C1=O *C=C1C(=O)N(C)C(=O)N(C)C1=O
*C=C1SC(=S)NC1=O *C=C1SC(=O)NC1=O *C=C1SC(=S)N(C)C1=O *C=C1C(=O)Nc2ccccc21 *C=C1C(=O)NN(c2ccccc2)C1=O
*CC(C#N)C#N *C(C#N)C#N *N=C(C#N)C#N *CC(C#N)(C#N)C *C(C)(C#N)C#N *CCC#N
*[N+](=O)[O-] *c1ccc([N+](=O)[O-])cc1 *c1ccccc1[N+](=O)[O-] *c1ccc([N+](=O)[O-])o1 *Nc1ccc([N+](=O)[O-])cc1
    *Oc1ccc([N+](=O)[O-])cc1
*c1ccc([N+](=O)[O-])cc1[N+](=O)[O-] *Nc1ccc([N+](=O)[O-])cc1[N+](=O)[O-] *c1cc([N+](=O)[O-])cc([N+](=O)[O-])c1
    *Oc1ccc([N+](=O)[O-])cc1[N+](=O)[O-]
*N=O *N(C)N=O *ON=O *CN(C)N=O *CN=O *N(CC)N=O
*O[N+](=O)[O-] *CO[N+](=O)[O-] *CCO[N+](=O)[O-] *CC(O)CO[N+](=O)[O-]
*C=NO *C(C)=NO *C=NOC *C(N)=NO *C(=NO)C#N *CC=NO *C(C)=NOC
*C(=O)NO *C(=O)N(C)O *CC(=O)NO *C(=O)NOC *C(=O)NOCc1ccccc1 *N(O)C(C)=O
*N(C)O *NOC *ON *CON *CN(O)C *ON=C(C)C *CNO
*C=[N+]([O-])C *C[N+](C)(C)[O-] *C=[N+]([O-])c1ccccc1 *CC[N+](C)(C)[O-]
*N=[N+]=[N-] *CN=[N+]=[N-] *CCN=[N+]=[N-] *C(=O)N=[N+]=[N-] *CCCN=[N+]=[N-]
*C=[N+]=[N-] *C(=O)C=[N+]=[N-] *[N+]#N *C(=[N+]=[N-])C(=O)OC
*N=Nc1ccccc1 *N=NC *N=Nc1ccc(N(C)C)cc1 *N=Nc1ccc(O)cc1 *N=NN(C)C *N=Nc1ccc(S(N)(=O)=O)cc1
*NN *N(C)N *NN(C)C *CNN *NNc1ccccc1 *CCNN
*C(=O)NN *NNC(C)=O *C(=O)NNC(C)=O *NC(=O)NN *CC(=O)NN *C(=O)NNc1ccccc1
*C=NN *C=NNC(N)=O *C=NNC(N)=S *C(C)=NNC(N)=S *C=NN(C)C *C=NN=C *C=NN1CCOCC1
*C=NNc1ccccc1 *C(C)=NNc1ccccc1 *NN=Cc1ccccc1 *C=NNc1ccccn1 *C=NNc1nc(C)cs1
*C=NNC(=O)c1ccccc1O *C=NNC(=O)c1ccncc1 *NN=Cc1ccccc1O *C(=O)NN=Cc1ccccc1O *C(=O)NN=Cc1ccco1
*N=C=O *CN=C=O *N=C=S *CN=C=S *CCN=C=S *N=C=NC
*SC#N *CSC#N *CCSC#N *OC#N *C(=O)CSC#N
*NC#N *N(C)C#N *C(C#N)N(C)C *C(N)C#N *CN(C)C#N *C(C)(N)C#N *C(C#N)N1CCOCC1
*[N+]#[C-] *C[N+]#[C-] *CC[N+]#[C-] *C(C)(C)[N+]#[C-]
*C=Nc1ccccc1 *N=Cc1ccccc1 *C=N *C(C)=N *N=Cc1ccccc1O *C=NC *N=C(C)C
*C(Cl)=N *C(Cl)=NO *C(N)=N *NC(N)=N *C(Cl)=Nc1ccccc1 *CNC(N)=N *C(=N)OC
*S *CS *CCS *c1ccc(S)cc1 *CCCS *C(=O)CS
*SSC *SSc1ccccc1 *CSSC *SSCC *CSSC(C)C *SSSC
*S(=O)(=O)Cl *S(=O)(=O)F *CS(=O)(=O)Cl *c1ccc(S(=O)(=O)F)cc1 *S(=O)Cl *SCl
*S(=O)(=O)O *S(=O)(=O)[O-] *CS(=O)(=O)O *CCS(=O)(=O)O *S(=O)O *NS(=O)(=O)O
*SN(C)C *SN1CCOCC1 *SNC(C)C *N=S(C)C *N=S(C)(C)=O *SN1CCCCC1
*S(=O)(=O)C#N *S(=O)(=O)CCl *S(=O)(=O)NC(C)=O *S(=O)(=O)C(F)(F)F *CS(=O)(=O)C#N
*NC(N)=S *NC(=S)NC *NC(=S)Nc1ccccc1 *NC(=S)N(C)C *CNC(=S)NC *NC(=S)NC(=O)c1ccccc1 *NNC(=S)NC
*C(N)=S *C(=S)N(C)C *C(C)=S *C(=S)NC *C(=S)c1ccccc1 *CC(N)=S
*NC(=S)SC *SC(=S)N(C)C *OC(=S)N(C)C *C(=S)SC *OC(=S)SC *SC(=S)SC *OC(=S)OC
*N(C)Cl *NCl *NBr *OCl *CN(C)Cl *N(Cl)C(C)=O
*Sc1nnc(N)s1 *Sc1nnn[nH]1 *Sc1nc2ccccc2s1 *Sc1nc2ccccc2[nH]1 *CSC(N)=N *SCC(=O)O *SC1=NCCN1 *CSc1ncccn1
*P(=O)(O)O *CP(=O)(O)O *P(=O)(OCC)OCC *CP(=O)(OC)OC *OP(=O)(O)O *OP(=O)(O)OP(=O)(O)O
*OP(=O)(OCC)OCC *OP(=S)(OCC)OCC *NP(=O)(OC)OC *OP(N)(=O)OC *P(=O)(Cl)OC *OP(=O)(OC)OC *OP(=O)(Oc1ccccc1)Oc1ccccc1
*P(c1ccccc1)c1ccccc1 *P(=O)(c1ccccc1)c1ccccc1 *P(C)C *P(=O)(C)C *CP(C)C
*[Si](C)(C)C *O[Si](C)(C)C *[Si](C)(C)Cl *CC[Si](OC)(OC)OC *B(O)O *B1OC(C)(C)C(C)(C)O1 *[Se]C
*OO *C(C)(C)OO *COOC *C(=O)OOC(C)=O *OOC(C)(C)C *C(=O)OOC(C)(C)C
*C=C=O *C=C=C *C(C)=C=O *CC=C=C *C=C=CC
*OC(=O)OC *OC(=O)Oc1ccccc1 *COC(=O)OC *OC=C *COC=C *OC(C)=C *NC(=O)OCc1ccccc1
*CC(OC)OC *OCOC *C(OC)OC *C1OCCO1 *C(OC)(OC)OC *COCOC *C(O)OC *CC(O)O
*C(N)N *CN(C)CN(C)C *NCOC *NCN1CCOCC1 *CNCNC *SCSC *NCNC(C)=O
*C[N+](C)(C)C *CC[N+](C)(C)C *[N+](C)(C)C *CC(=O)C[N+](C)(C)C *C[N+]1(C)CCOCC1 *CCC[N+](C)(C)C
*C[n+]1ccccc1 *CC[n+]1ccccc1 *c1cc[n+](C)cc1 *C(=O)C[n+]1ccccc1 *c1ccc[n+]([O-])c1
*C[P+](C)(C)C *C[S+](C)C *CC[S+](C)C *[S+](C)C *C[P+](c1ccccc1)(c1ccccc1)c1ccccc1
*CCCCCC *CCCCCCC *CCCCCCCC *OCCCCCCCC *CCCCCCCCCC *CCCCCCCCCCC *NCCCCCCCC *C(=O)NCCCCCCCC
*C(F)(F)C(F)(F)F *C(F)(F)C(F)(F)C(F)(F)F *C(F)(F)C(F)(F)C(F)(F)C(F)(F)F *CC(F)(F)C(F)(F)C(F)(F)F *S(F)(F)(F)(F)F
    *SC(F)(F)F
*I *Br *CI *c1ccc(I)cc1 *c1ccc(Br)cc1 *Oc1ccc(Br)cc1
*C(c1ccccc1)c1ccccc1 *C(c1ccccc1)(c1ccccc1)c1ccccc1 *CC(c1ccccc1)c1ccccc1 *OC(c1ccccc1)(c1ccccc1)c1ccccc1
*C#CC#CC *C#CC *CC#C *C#C *CC#CC *OCC#C
*C=C *CC=C *CCC=C *C(C)=C *OCC=C *CC=CC *CC=C(C)C *NCC=C
*C=CC=C *C=CC=CC *C=Cc1ccccc1 *CC=CC=CC *C=CC=Cc1ccccc1 *C=CC=CC=CC
*c1ccc(O)c(O)c1 *Cc1ccc(O)c(O)c1 *CCc1ccc(O)c(O)c1 *c1cc(O)c(O)c(O)c1 *C(=O)c1ccc(O)c(O)c1
*c1ccc(N)cc1 *c1cccc(N)c1 *NS(=O)(=O)c1ccc(N)cc1 *c1ccccc1N *C(=O)c1ccc(N)cc1
*c1ccc(N(C)C)cc1 *C=Cc1ccc(N(C)C)cc1 *C=Nc1ccc(N(C)C)cc1 *N=Cc1ccc(N(C)C)cc1 *Cc1ccc(N(C)C)cc1 *C(=O)c1ccc(N(CC)CC)cc1
*Cc1c[nH]c2ccccc12 *CCc1c[nH]c2ccccc12 *c1c[nH]c2ccccc12 *C(C)c1c[nH]c2ccccc12
*CCOCCOCCOC *OCCOCCOC *OCCOCCOCCOC *CC(O)C(O)CO *C(O)C(O)C(O)CO *CCN(CCO)CCO
*CC(N)C(=O)O *NCC(=O)NCC(=O)O *CC(C(=O)O)C(=O)O *CCC(N)C(=O)O *N(CC(=O)O)CC(=O)O *NC(CO)C(=O)O
""")
